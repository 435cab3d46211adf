"""What there is to photograph: geometry, materials, buildings, surroundings."""
