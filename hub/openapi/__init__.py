"""How the REST API describes itself (OpenAPI 3.1), read off its doors. No door knows of it but by decorators."""
