"""Everything that becomes events: files, tables and streams in, columns of codes or rejections out."""
