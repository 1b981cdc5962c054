"""The sharing team's desk: derivatives of documents, made and checked before anything is sealed."""
