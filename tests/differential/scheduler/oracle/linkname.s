// Empty: it lets the functions that are linked by name stand without a body.
