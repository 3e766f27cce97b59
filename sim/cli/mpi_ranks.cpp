#include "sim/cli/mpi_ranks.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "sim/mpi/squall_mpi.h"

namespace cli {

namespace {

constexpr const char* kLibrary = "squall_mpi.so";

/// Empty when there is none.
std::string library() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  for (const std::filesystem::path& folder : {program.parent_path(), program.parent_path().parent_path() / "lib/squall"}) {
    if (std::filesystem::is_regular_file(folder / kLibrary, error)) return (folder / kLibrary).string();
  }
  return {};
}

/// Processes that the launcher says there are; 1 when it says nothing.
long launched() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && std::atol(value) > 1) return std::atol(value);
  }
  return 1;
}

class MpiRanks : public analysis::Ranks {
 public:
  explicit MpiRanks(const squall_mpi& mpi) : mpi_(mpi) {}
  ~MpiRanks() override {
    if (started_) mpi_.finish();
  }
  MpiRanks(const MpiRanks&) = delete;
  MpiRanks& operator=(const MpiRanks&) = delete;

  bool start() { return started_ = mpi_.start(&rank_, &size_, &on_this_machine_) == 0; }
  std::size_t rank() const override { return static_cast<std::size_t>(rank_); }
  std::size_t size() const override { return static_cast<std::size_t>(size_); }
  std::size_t on_this_machine() const { return static_cast<std::size_t>(std::max(1, on_this_machine_)); }
  std::vector<std::string> gather(const std::string& mine) override {
    std::vector<std::string> all(rank_ == 0 ? size() : 0);
    const auto take = [](void* context, int rank, const char* bytes, std::size_t count) {
      (*static_cast<std::vector<std::string>*>(context))[static_cast<std::size_t>(rank)].assign(bytes, count);
    };
    mpi_.gather(mine.data(), mine.size(), take, &all);
    return all;
  }
  std::string broadcast(const std::string& of_rank_0) override {
    std::string received;
    const auto take = [](void* context, int, const char* bytes, std::size_t count) { static_cast<std::string*>(context)->assign(bytes, count); };
    mpi_.broadcast(of_rank_0.data(), of_rank_0.size(), take, &received);
    return received;
  }

 private:
  const squall_mpi& mpi_;
  bool started_ = false;
  int rank_ = 0;
  int size_ = 1;
  int on_this_machine_ = 1;
};

}  // namespace

std::unique_ptr<analysis::Ranks> join_ranks(std::string& problem) {
  const long processes = launched();
  if (processes <= 1) return nullptr;
  const std::string path = library();
  if (path.empty()) {
    problem = fmt::format("this is one of {} processes of one job, but MPI was left out of this build (it needs libopenmpi-dev when squall is built); "
                          "run it alone, or the parts with --shard and squall merge", processes);
    return nullptr;
  }
  // Global: MPI's own plugins look for its symbols. Never closed: MPI leaves threads and exit handlers behind.
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  using Table = const squall_mpi* (*)();
  const auto table = handle == nullptr ? nullptr : reinterpret_cast<Table>(::dlsym(handle, "squall_mpi_1"));
  if (table == nullptr) {
    const char* why = ::dlerror();
    problem = fmt::format("{} cannot be loaded: {}", path, why == nullptr ? "it is of another squall" : why);
    return nullptr;
  }
  auto ranks = std::make_unique<MpiRanks>(*table());
  if (!ranks->start()) {
    problem = "MPI does not start";
    return nullptr;
  }
  if (ranks->size() == 1) {
    problem = fmt::format("the launcher started {} processes, but MPI sees only one: its version is not the one that squall was built with", processes);
    return nullptr;
  }
  return ranks;
}

std::size_t threads_of_rank(std::size_t asked, const analysis::Ranks& ranks) {
  if (asked != 0) return asked;
  const std::size_t here = static_cast<const MpiRanks&>(ranks).on_this_machine();
  return std::max<std::size_t>(1, std::thread::hardware_concurrency() / here);
}

std::string mpi_version() {
  const std::string path = library();
  return path.empty() ? "MPI: left out of this build" : "MPI: " + path;
}

}  // namespace cli
