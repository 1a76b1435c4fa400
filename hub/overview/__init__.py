"""The console's first page: is anything wrong, where, is it getting better? It shows, and leads to what does more."""
