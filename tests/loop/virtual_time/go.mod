module squall.dev/virtual-time

go 1.24
