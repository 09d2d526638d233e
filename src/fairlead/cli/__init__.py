"""The command line: one file per noun, over the office, the steward and whatever else the house can do."""
