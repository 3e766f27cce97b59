/* What squall asks of MPI, as a plain C table: squall itself is not linked to MPI, which would cost every start a fifth more
   (13.5 instead of 11.3 ms of processor time) and need it installed everywhere, but loads squall_mpi.so when mpirun has started it. */
#ifndef SQUALL_MPI_H
#define SQUALL_MPI_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct squall_mpi {
  /* 0 on success. `on_this_machine`: how many of the processes run here. */
  int (*start)(int* rank, int* size, int* on_this_machine);
  /* Called by all. On rank 0 `take` gets what each rank gave, by rank. */
  void (*gather)(const char* bytes, size_t size, void (*take)(void* context, int rank, const char* bytes, size_t size), void* context);
  /* Called by all. On every rank `take` gets what rank 0 gave. */
  void (*broadcast)(const char* bytes, size_t size, void (*take)(void* context, int rank, const char* bytes, size_t size), void* context);
  void (*finish)(void);
};

/* The number is part of the name: another table is another symbol. */
const struct squall_mpi* squall_mpi_1(void);

#ifdef __cplusplus
}
#endif

#endif
