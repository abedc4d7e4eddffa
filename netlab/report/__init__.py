"""Results of commands, and the formats that print them: tables, JSON, YAML, JUnit."""
