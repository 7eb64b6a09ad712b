"""What takes the costs of a graph on a device: runtimes of this machine, boards over SSH, phones over adb."""
