#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "sim/scenario/manifests.hpp"
#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario {

struct ManifestReader::Impl {
  manifests::ObjectReader reader;
};

ManifestReader::ManifestReader(Interner& names, Diagnostics& diagnostics) : impl_(new Impl{{names, diagnostics}}) {}
ManifestReader::~ManifestReader() = default;
void ManifestReader::decode(Node object) { impl_->reader.decode(object); }
void ManifestReader::decode(const Document& document) {
  for (const Node& root : document.roots()) impl_->reader.decode(root);
}
ManifestSet ManifestReader::finish() { return impl_->reader.finish(); }

void decode(Node object, Interner& names, Diagnostics& diagnostics, ManifestSet& set) {
  manifests::ObjectReader reader(names, diagnostics);
  reader.read_into(set);
  reader.decode(object);
}

std::vector<std::string> expand_path(const std::string& path, const Place& where, Diagnostics& diagnostics) {
  namespace fs = std::filesystem;
  std::vector<std::string> found;
  std::error_code error;
  const auto list = [&](const fs::path& folder, const auto& wanted) {
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      std::error_code ignored;
      if (it->is_regular_file(ignored) && wanted(it->path().filename().string())) found.push_back(it->path().string());
    }
    std::sort(found.begin(), found.end());
  };
  if (fs::is_directory(path, error)) {
    list(path, [](const std::string& name) { return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"); });
    if (!found.empty()) return found;
    Diagnostic& d = diagnostics.error(where, fmt::format("the folder '{}' holds no .yaml, .yml or .json file", path));
    std::vector<std::string> below;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      std::error_code ignored;
      if (it->is_directory(ignored)) below.push_back(it->path().string());
    }
    std::sort(below.begin(), below.end());
    if (!below.empty()) d.hint = fmt::format("folders in it are not searched: name them, as in '{}'", below.front());
    return found;
  }
  const fs::path as_path(path);
  const std::string pattern = as_path.filename().string();
  if (pattern.find_first_of("*?[") != std::string::npos && !fs::exists(path, error)) {
    const fs::path folder = as_path.has_parent_path() ? as_path.parent_path() : fs::path(".");
    list(folder, [&](const std::string& name) { return ::fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0; });
    if (found.empty()) diagnostics.error(where, fmt::format("no file matches '{}'", path));
    return found;
  }
  if (!fs::exists(path, error)) {
    diagnostics.error(where, fmt::format("there is no file '{}'", path));
    return found;
  }
  found.push_back(path);
  return found;
}

ManifestSet read_manifests(const std::vector<std::string>& paths, Interner& names, Diagnostics& diagnostics) {
  ManifestReader reader(names, diagnostics);
  for (const std::string& path : paths) {
    for (const std::string& file : path == "-" ? std::vector<std::string>{path} : expand_path(path, Place{}, diagnostics)) {
      if (const std::shared_ptr<const Document> document = load_file(file, diagnostics)) reader.decode(*document);
    }
  }
  return reader.finish();
}

}  // namespace sim::scenario
