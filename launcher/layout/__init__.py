"""Where Brokers and Workers stand: from the hosts that answered to the settings of each. Pure."""
