#include "analysis/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace analysis {

namespace {

std::string failure(const std::filesystem::path& path, int error) { return fmt::format("{}: {}", path.string(), std::strerror(error)); }

/// Writes all of it, or says why not.
int write_all(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(file, content.data(), content.size());
    if (written >= 0) {
      content.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

/// A device or a pipe (/dev/stdout, a named pipe, >(process)) is written into: a file put into its place would take it away from everybody.
std::string write_through(const std::filesystem::path& path, std::string_view content) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return failure(path, errno);
  int error = write_all(file, content);
  if (::close(file) != 0 && error == 0) error = errno;
  return error == 0 ? std::string() : failure(path, error);
}

}  // namespace

std::string write_whole_file(const std::filesystem::path& asked, std::string_view content) {
  std::filesystem::path path = asked;
  struct stat there {};
  if (::stat(asked.c_str(), &there) == 0) {
    if (S_ISDIR(there.st_mode)) return failure(asked, EISDIR);
    if (!S_ISREG(there.st_mode)) return write_through(asked, content);
    // A symbolic link stays one; what it points to is replaced.
    std::error_code unresolved;
    path = std::filesystem::canonical(asked, unresolved);
    if (unresolved) return fmt::format("{}: {}", asked.string(), unresolved.message());
  }
  const std::filesystem::path part = path.string() + fmt::format(".part-{}", ::getpid());
  const int file = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return failure(path, errno);
  int error = write_all(file, content);
  if (error == 0 && ::fsync(file) != 0 && errno != EINVAL && errno != EROFS) error = errno;  // a pipe or /dev/shm cannot sync: fine
  if (::close(file) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(part.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(part.c_str());
    return failure(path, error);
  }
  return {};
}

std::string remove_file(const std::filesystem::path& path) {
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? std::string() : failure(path, errno);
}

std::string make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fmt::format("{}: {}", path.string(), error.message());
  if (!std::filesystem::is_directory(path, error)) return fmt::format("{}: is not a folder", path.string());
  return {};
}

}  // namespace analysis
