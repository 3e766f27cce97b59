/// How far long work is, on stderr: a bar on a terminal, a plain line now and then otherwise. Nothing for work that ends within a second.
#pragma once

#include <chrono>
#include <string>

namespace cli {

class Progress {
 public:
  /// `quiet`: says nothing at all.
  explicit Progress(bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `share` is in [0, 1]; `text` says what it is a share of ("4h 10m of 1d").
  void update(double share, const std::string& text);
  /// Takes the bar away.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  bool quiet_;
  bool is_terminal_;
  bool drawn_ = false;
  int next_line_percent_ = 10;
  Clock::time_point began_;
  Clock::time_point drawn_at_;
};

/// Columns of the terminal on stdout; 100 where there is none.
int terminal_width();
/// Colours on stdout: a terminal, and NO_COLOR (no-color.org) is not set.
bool use_colour();

}  // namespace cli
