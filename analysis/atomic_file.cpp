#include "analysis/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace analysis {

namespace {

std::string failure(const std::filesystem::path& path, int error) { return fmt::format("{}: {}", path.string(), std::strerror(error)); }

}  // namespace

std::string write_whole_file(const std::filesystem::path& path, std::string_view content) {
  const std::filesystem::path part = path.string() + fmt::format(".part-{}", ::getpid());
  const int file = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return failure(path, errno);
  int error = 0;
  while (!content.empty() && error == 0) {
    const ssize_t written = ::write(file, content.data(), content.size());
    if (written >= 0) {
      content.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0 && ::fsync(file) != 0 && errno != EINVAL && errno != EROFS) error = errno;  // a pipe or /dev/shm cannot sync: fine
  if (::close(file) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(part.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(part.c_str());
    return failure(path, error);
  }
  return {};
}

std::string make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fmt::format("{}: {}", path.string(), error.message());
  if (!std::filesystem::is_directory(path, error)) return fmt::format("{}: is not a folder", path.string());
  return {};
}

}  // namespace analysis
