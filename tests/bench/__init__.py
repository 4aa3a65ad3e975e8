"""Large files of events, the same question put to other engines, and the times of all."""
