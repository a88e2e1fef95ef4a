package child

import "syscall"

func bind(attributes *syscall.SysProcAttr, signal syscall.Signal) { attributes.Pdeathsig = signal } // prctl(2), PR_SET_PDEATHSIG
