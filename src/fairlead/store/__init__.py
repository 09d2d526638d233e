"""The books at rest, and how they get there. The only folder that speaks SQL; it knows neither callers nor models."""
