import seppo

seppo.start_seppo_enslaved_server()
