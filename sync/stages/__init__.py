"""What a stage is made of: `stages/{stage}.yml`, read and checked. Left out of the zip."""
