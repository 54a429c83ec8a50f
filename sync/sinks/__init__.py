"""A file or folder for each sink. The engine names none of them; models name those they feed."""
