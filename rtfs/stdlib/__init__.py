"""The standard library, one module per group of language.md §6. `table.BUILTINS` holds it all."""
