"""Commands as questions to a language model, through LangChain."""
