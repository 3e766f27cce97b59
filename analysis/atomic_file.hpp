/// Files that are written whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace analysis {

/// Writes `content` beside `path` under another name, flushes it to disk and renames it. On failure `path` is as it was, nothing is
/// left behind, and the answer says why ("/x/summary.json: No space left on device"); empty on success. A symbolic link is followed; a
/// device or a pipe is written into.
std::string write_whole_file(const std::filesystem::path& path, std::string_view content);

/// Empty when there is no such file any more, else why it cannot be removed.
std::string remove_file(const std::filesystem::path& path);

/// Makes a folder (and those above it). Empty on success, else why not.
std::string make_folder(const std::filesystem::path& path);

}  // namespace analysis
