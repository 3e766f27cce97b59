/// The processes that mpirun started, where it did.
///
/// MPI is in a library of its own, squall_mpi.so beside the program or in ../lib/squall, loaded only under mpirun: the plain program starts as fast
/// as without MPI, and runs where none is installed.
///
/// Leaves out: processes that fail without ending (mpirun ends all when one ends), other launchers than those that tell the number of processes
///             in OMPI_COMM_WORLD_SIZE or PMI_SIZE.
/// Checked by: tests/cli/mpi.py.
#pragma once

#include <memory>
#include <string>

#include "analysis/ranks.hpp"

namespace cli {

/// Null: this process is alone. When it is not, and cannot join the others, `problem` says why.
std::unique_ptr<analysis::Ranks> join_ranks(std::string& problem);
/// Threads for each process, when `asked` is 0: the processors of this machine, shared by the processes on it.
std::size_t threads_of_rank(std::size_t asked, const analysis::Ranks& ranks);
/// For --version: where MPI is, or that it was left out.
std::string mpi_version();

}  // namespace cli
