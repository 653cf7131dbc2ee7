"""What requests ask and answers hold, one file per resource, as models of pydantic."""
