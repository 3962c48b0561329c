"""What clients ask for, one module for each family of methods; `table` knows them all."""
