/// A user's own document of an object, kept as a range of the file it came from, so that no field that Squall does not model is lost.
#pragma once

#include <memory>
#include <string>

#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/document.hpp"

namespace sim::k8s {

struct SourceDocument {
  std::shared_ptr<const scenario::SourceFile> file;
  scenario::SourceRange range;
  std::uint32_t line = 0;

  /// YAML (or JSON) of this object alone. An object of a list regains the indentation of its first line.
  std::string text() const {
    std::string result(range.column - 1, ' ');
    result += file->text().substr(range.begin, range.end - range.begin);
    return result;
  }
};

}  // namespace sim::k8s
