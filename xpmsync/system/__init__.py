"""What is asked of the operating system: locks, files replaced whole, disks, clocks."""
