#include "sim/cli/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace cli {

Progress::Progress(bool quiet) : quiet_(quiet), is_terminal_(::isatty(STDERR_FILENO) != 0), began_(Clock::now()), drawn_at_(began_) {}
Progress::~Progress() { finish(); }

void Progress::update(double share, const std::string& text) {
  constexpr auto kShortWork = std::chrono::seconds(1);
  constexpr auto kRedraw = std::chrono::milliseconds(100);
  const auto now = Clock::now();
  if (quiet_ || now - began_ < kShortWork) return;
  share = std::clamp(share, 0.0, 1.0);
  const double elapsed = std::chrono::duration<double>(now - began_).count();
  const std::string left = share > 0.02 ? fmt::format(", about {:.0f} s left", elapsed / share * (1.0 - share)) : std::string();
  if (!is_terminal_) {
    const int percent = static_cast<int>(share * 100.0);
    if (percent < next_line_percent_) return;
    next_line_percent_ = percent - percent % 10 + 10;
    std::fputs(fmt::format("squall: {} % ({}{})\n", percent, text, left).c_str(), stderr);
    return;
  }
  if (drawn_ && now - drawn_at_ < kRedraw) return;
  constexpr int kBar = 30;
  const int full = static_cast<int>(share * kBar);
  std::string bar;
  for (int i = 0; i < kBar; ++i) bar += i < full ? "█" : "░";
  std::fputs(fmt::format("\r\x1b[K{} {:3.0f} %  {}{}", bar, share * 100.0, text, left).c_str(), stderr);
  std::fflush(stderr);
  drawn_ = true;
  drawn_at_ = now;
}

void Progress::finish() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

int terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 100;
}

bool use_colour() { return ::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr; }

}  // namespace cli
