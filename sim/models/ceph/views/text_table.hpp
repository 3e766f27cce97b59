/// A table as Ceph's commands print it: each column as wide as its widest cell, two blanks between columns, the last one padded too.
///
/// Source:     Ceph 16.2 src/common/TextTable.cc.
/// Checked by: tests/models/ceph/views_test.cpp.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sim::ceph {

class TextTable {
 public:
  enum class Align : std::uint8_t { kLeft, kRight };

  /// Of the cells; headings stand on the left.
  void column(std::string_view heading, Align cells) { columns_.push_back({std::string(heading), cells, heading.size()}); }
  void row(std::vector<std::string> cells) {
    cells.resize(columns_.size());
    for (std::size_t i = 0; i < cells.size(); ++i) columns_[i].width = std::max(columns_[i].width, cells[i].size());
    rows_.push_back(std::move(cells));
  }
  std::string text() const {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) put(text, i, columns_[i].heading, Align::kLeft);
    text += '\n';
    for (const std::vector<std::string>& row : rows_) {
      for (std::size_t i = 0; i < columns_.size(); ++i) put(text, i, row[i], columns_[i].cells);
      text += '\n';
    }
    return text;
  }

 private:
  struct Column {
    std::string heading;
    Align cells;
    std::size_t width;
  };
  void put(std::string& text, std::size_t column, const std::string& cell, Align align) const {
    if (column > 0) text += "  ";
    const std::size_t blanks = columns_[column].width - cell.size();
    if (align == Align::kRight) text.append(blanks, ' ');
    text += cell;
    if (align == Align::kLeft) text.append(blanks, ' ');
  }
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace sim::ceph
