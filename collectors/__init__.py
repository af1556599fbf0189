"""Everything that brings payloads in: decoders, pairing, columns, taps."""
