#include "sim/mpi/squall_mpi.h"

#include <mpi.h>
#include <stdint.h>
#include <stdlib.h>

/* Counts of MPI are ints: longer messages go in pieces. */
static const size_t kPiece = (size_t)1 << 30;

static int start(int* rank, int* size, int* on_this_machine) {
  int provided = 0;
  MPI_Comm here;
  /* Threads compute, only the first one talks. */
  if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
  if (provided < MPI_THREAD_FUNNELED) return 1;
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
  if (MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, *rank, MPI_INFO_NULL, &here) != MPI_SUCCESS) return 1;
  MPI_Comm_size(here, on_this_machine);
  MPI_Comm_free(&here);
  return 0;
}

static char* space(uint64_t size) {
  char* bytes = malloc(size > 0 ? size : 1);
  if (bytes == NULL) MPI_Abort(MPI_COMM_WORLD, 70);
  return bytes;
}

static int piece(uint64_t size, uint64_t at) { return (int)(size - at < kPiece ? size - at : kPiece); }

static void gather(const char* bytes, size_t size, void (*take)(void*, int, const char*, size_t), void* context) {
  int rank = 0;
  int ranks = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  if (rank != 0) {
    const uint64_t mine = size;
    MPI_Send(&mine, 1, MPI_UINT64_T, 0, 1, MPI_COMM_WORLD);
    for (uint64_t at = 0; at < mine; at += kPiece) MPI_Send(bytes + at, piece(mine, at), MPI_BYTE, 0, 2, MPI_COMM_WORLD);
    return;
  }
  take(context, 0, bytes, size);
  for (int from = 1; from < ranks; ++from) {
    uint64_t theirs = 0;
    MPI_Recv(&theirs, 1, MPI_UINT64_T, from, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    char* received = space(theirs);
    for (uint64_t at = 0; at < theirs; at += kPiece) MPI_Recv(received + at, piece(theirs, at), MPI_BYTE, from, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    take(context, from, received, theirs);
    free(received);
  }
}

static void broadcast(const char* bytes, size_t size, void (*take)(void*, int, const char*, size_t), void* context) {
  int rank = 0;
  uint64_t length = size;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Bcast(&length, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
  char* copy = space(length);
  if (rank == 0) {
    for (uint64_t i = 0; i < length; ++i) copy[i] = bytes[i];
  }
  for (uint64_t at = 0; at < length; at += kPiece) MPI_Bcast(copy + at, piece(length, at), MPI_BYTE, 0, MPI_COMM_WORLD);
  take(context, 0, copy, length);
  free(copy);
}

static void finish(void) { MPI_Finalize(); }

const struct squall_mpi* squall_mpi_1(void) {
  static const struct squall_mpi table = {start, gather, broadcast, finish};
  return &table;
}
