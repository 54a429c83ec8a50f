"""The items of the core table: aircraft, their registers, images, and links between them."""
