#include "sim/core/process.hpp"

#include <array>
#include <cstdlib>
#include <new>

namespace sim {

namespace detail {

namespace {

constexpr std::size_t kGrain = 16;
constexpr std::size_t kClasses = 128;  // frames up to 2 KiB; larger ones go to malloc
constexpr std::size_t kKeptPerClass = 65'536;

struct FreeFrame {
  FreeFrame* next;
};

struct FramePool {
  std::array<FreeFrame*, kClasses> free{};
  std::array<std::size_t, kClasses> count{};
  FramePool() = default;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool() {
    for (FreeFrame* frame : free) {
      while (frame != nullptr) std::free(std::exchange(frame, frame->next));
    }
    free = {};
    count.fill(kKeptPerClass);  // frames that are freed later in the thread's end go to free()
  }
};

// Under AddressSanitizer every frame is malloc's own, so that a use after the end is seen.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kPooled = false;
#else
constexpr bool kPooled = true;
#endif

thread_local FramePool pool;

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t size_class = (size - 1) / kGrain;
  if (kPooled && size_class < kClasses) {
    if (FreeFrame* frame = pool.free[size_class]) {
      pool.free[size_class] = frame->next;
      --pool.count[size_class];
      return frame;
    }
    size = (size_class + 1) * kGrain;
  }
  void* frame = std::malloc(size);
  if (frame == nullptr) throw std::bad_alloc();
  return frame;
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t size_class = (size - 1) / kGrain;
  if (!kPooled || size_class >= kClasses || pool.count[size_class] >= kKeptPerClass) {
    std::free(frame);
    return;
  }
  pool.free[size_class] = ::new (frame) FreeFrame{pool.free[size_class]};
  ++pool.count[size_class];
}

}  // namespace detail

void Wait::resume_after(SimDuration span, Wake wake) {
  resuming_ = span == SimDuration::zero();
  timer_ = engine_.after(span, [this, wake] {
    timer_ = TimerId{};
    wake_ = wake;
    if (queued_) {
      auto& queued = static_cast<QueuedWait&>(*this);
      queued.leave_(queued);
    }
    process().resume();
  });
}

bool Process::interrupt() {
  if (!handle_ || handle_.promise().wait == nullptr) return false;
  Wait& wait = *handle_.promise().wait;
  if (wait.resuming_) return false;
  if (wait.queued_) {
    auto& queued = static_cast<QueuedWait&>(wait);
    queued.leave_(queued);
  }
  wait.resume_soon(Wake::kInterrupted);
  return true;
}

}  // namespace sim
