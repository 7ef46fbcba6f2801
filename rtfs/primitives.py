"""Operations that the analyzer makes and no program can name. See `rtfs.ir.Primitive`."""
