"""The items of the core table: aircraft, registers, images, and links."""
