"""How the console writes dates and numbers, whatever the language."""
