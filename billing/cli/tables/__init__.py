"""What goes out to people on a terminal: tables, curves and stories, a module for each subject."""
