"""What commands are made of, or share. Nothing in this folder is a command."""
