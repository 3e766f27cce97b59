/// Sorts as Go's sort.Slice does: where equal elements, or those of an order that contradicts itself, come to stand is part of what
/// kube-scheduler decides (victims of a preemption, the volumes of claims).
///
/// Both are common: a pod that has not started counts as started at the moment of each comparison, so of two such pods the one that is asked
/// about first is always the more important, and up to 12 of them come out in reverse.
///
/// Source:     Go's sort.Slice (pattern-defeating quicksort, since Go 1.19): up to 12 elements by insertion, quicksort with a pivot of 3 or 9
///             elements beyond, heap sort when the pivots stay bad.
/// Checked by: tests/models/kubernetes/scheduler/go_sort_test.cpp (orders that Go made).
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sim::k8s::scheduling {

/// `less` need be no order at all: every index stays within the list whatever it says.
template <class T, class Less>
class GoSort {
 public:
  GoSort(std::vector<T>& list, Less less) : list_(list), less_(less) {}
  void run() {
    const auto size = static_cast<std::ptrdiff_t>(list_.size());
    sort(0, size, static_cast<int>(std::bit_width(list_.size())));
  }

 private:
  using Place = std::ptrdiff_t;
  enum class Hint : std::uint8_t { kNone, kRising, kFalling };
  static constexpr Place kInsertionMax = 12;
  static constexpr Place kNintherMin = 50;
  static constexpr Place kShiftMin = 50;
  static constexpr int kSwapsMax = 12;
  static constexpr int kShiftsMax = 5;

  bool less(Place a, Place b) { return less_(list_[static_cast<std::size_t>(a)], list_[static_cast<std::size_t>(b)]); }
  void swap(Place a, Place b) { std::swap(list_[static_cast<std::size_t>(a)], list_[static_cast<std::size_t>(b)]); }

  void sort(Place begin, Place end, int bad_pivots_left) {
    bool was_balanced = true;
    bool was_partitioned = true;
    for (;;) {
      const Place length = end - begin;
      if (length <= kInsertionMax) return insertion(begin, end);
      if (bad_pivots_left == 0) return heap(begin, end);
      if (!was_balanced) {
        shuffle(begin, end);
        --bad_pivots_left;
      }
      auto [pivot, hint] = choose(begin, end);
      if (hint == Hint::kFalling) {
        for (Place a = begin, b = end - 1; a < b; ++a, --b) swap(a, b);
        pivot = (end - 1) - (pivot - begin);
        hint = Hint::kRising;
      }
      if (was_balanced && was_partitioned && hint == Hint::kRising && is_nearly_sorted(begin, end)) return;
      if (begin > 0 && !less(begin - 1, pivot)) {
        begin = skip_equals(begin, end, pivot);
        continue;
      }
      const auto [middle, was_so] = partition(begin, end, pivot);
      was_partitioned = was_so;
      const Place left = middle - begin;
      const Place right = end - middle;
      was_balanced = std::min(left, right) >= length / 8;
      if (left < right) {
        sort(begin, middle, bad_pivots_left);
        begin = middle + 1;
      } else {
        sort(middle + 1, end, bad_pivots_left);
        end = middle;
      }
    }
  }

  void insertion(Place begin, Place end) {
    for (Place i = begin + 1; i < end; ++i) {
      for (Place j = i; j > begin && less(j, j - 1); --j) swap(j, j - 1);
    }
  }

  void heap(Place first, Place end) {
    const Place size = end - first;
    const auto sift = [&](Place root, Place count) {
      for (Place child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && less(first + child, first + child + 1)) ++child;
        if (!less(first + root, first + child)) return;
        swap(first + root, first + child);
        root = child;
      }
    };
    for (Place i = (size - 1) / 2; i >= 0; --i) sift(i, size);
    for (Place i = size - 1; i >= 0; --i) {
      swap(first, first + i);
      sift(0, i);
    }
  }

  /// Breaks patterns that make bad pivots: three in the middle change places with others that follow from the length alone.
  void shuffle(Place begin, Place end) {
    const Place length = end - begin;
    if (length < 8) return;
    auto random = static_cast<std::uint64_t>(length);
    const std::uint64_t mask = (std::uint64_t{1} << std::bit_width(static_cast<std::uint64_t>(length))) - 1;
    const Place middle = begin + length / 4 * 2;
    for (Place place = middle - 1; place <= middle + 1; ++place) {
      random ^= random << 13;
      random ^= random >> 7;
      random ^= random << 17;
      auto other = static_cast<Place>(random & mask);
      if (other >= length) other -= length;
      swap(place, begin + other);
    }
  }

  std::pair<Place, Hint> choose(Place begin, Place end) {
    const Place length = end - begin;
    int swaps = 0;
    const auto median = [&](Place a, Place b, Place c) {
      const auto in_order = [&](Place& x, Place& y) {
        if (!less(y, x)) return;
        ++swaps;
        std::swap(x, y);
      };
      in_order(a, b);
      in_order(b, c);
      in_order(a, b);
      return b;
    };
    Place a = begin + length / 4;
    Place b = begin + length / 4 * 2;
    Place c = begin + length / 4 * 3;
    if (length >= kNintherMin) {
      a = median(a - 1, a, a + 1);
      b = median(b - 1, b, b + 1);
      c = median(c - 1, c, c + 1);
    }
    b = median(a, b, c);
    return {b, swaps == 0 ? Hint::kRising : swaps == kSwapsMax ? Hint::kFalling : Hint::kNone};
  }

  /// A few elements out of place are put right. True: all are.
  bool is_nearly_sorted(Place begin, Place end) {
    Place i = begin + 1;
    for (int shifts = 0; shifts < kShiftsMax; ++shifts) {
      while (i < end && !less(i, i - 1)) ++i;
      if (i == end) return true;
      if (end - begin < kShiftMin) return false;
      swap(i, i - 1);
      if (i - begin >= 2) {
        for (Place j = i - 1; j >= 1 && less(j, j - 1); --j) swap(j, j - 1);
      }
      if (end - i >= 2) {
        for (Place j = i + 1; j < end && less(j, j - 1); ++j) swap(j, j - 1);
      }
    }
    return false;
  }

  std::pair<Place, bool> partition(Place begin, Place end, Place pivot) {
    swap(begin, pivot);
    Place i = begin + 1;
    Place j = end - 1;
    for (bool is_first = true;; is_first = false) {
      while (i <= j && less(i, begin)) ++i;
      while (i <= j && !less(j, begin)) --j;
      if (i > j) {
        swap(j, begin);
        return {j, is_first};
      }
      swap(i++, j--);
    }
  }

  /// Elements that equal the pivot come first, as all of this part are at least that.
  Place skip_equals(Place begin, Place end, Place pivot) {
    swap(begin, pivot);
    Place i = begin + 1;
    Place j = end - 1;
    for (;;) {
      while (i <= j && !less(begin, i)) ++i;
      while (i <= j && less(begin, j)) --j;
      if (i > j) return i;
      swap(i++, j--);
    }
  }

  std::vector<T>& list_;
  Less less_;
};

template <class T, class Less>
void go_sort(std::vector<T>& list, Less less) {
  GoSort<T, Less>(list, less).run();
}

}  // namespace sim::k8s::scheduling
