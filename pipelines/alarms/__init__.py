"""From the false alarms that can be borne to the threshold of each comparison."""
