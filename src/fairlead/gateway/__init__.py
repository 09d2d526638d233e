"""The one road to a model: from a caller and a request to an answer, with the books kept on the way."""
