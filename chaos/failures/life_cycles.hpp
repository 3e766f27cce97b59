/// Components that work, fail, wait for parts and people, are repaired, and work again: renewal processes with queues, on an engine and nothing else.
///
///   works --failure law--> broken --spare--> --crew--> repair law (in working hours) --> works, as new
///
/// What a component does depends on the seed, its own name, and those with whom it shares crews, parts and common causes; another component moves none of its
/// draws. The clock of a component runs on while something else keeps it down.
///
/// For rare events the hazards of failures can be multiplied while something is broken, and repairs be slowed (bias()); log_weight() then says how much
/// likelier the path was made: its likelihood ratio, exactly, for every continuous law of failures and every law of repairs. Failures of other laws run
/// unbiased.
///
/// Source:     Cox, Renewal Theory, 1962; Nicola, Shahabuddin, Heidelberger, Glynn: Fast simulation of steady-state availability in non-Markovian highly
///             dependable systems, 1993; Shahabuddin: Importance sampling for the simulation of highly reliable Markovian systems, 1994 (balanced failure biasing).
/// Leaves out: repairs that are worse than new, repairs that are interrupted by a more urgent one.
/// Checked by: tests/analysis/life_cycles_test.cpp (M/M/c machine repair, k of n, common causes, stationarity, weights).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/lifetime.hpp"
#include "sim/core/random.hpp"

namespace chaos {

class LifeCycles {
 public:
  /// How old a component is at the start.
  enum class Age : std::uint8_t { kStationary, kNew, kGiven };
  struct Component {
    std::string name;  // of its random streams: unique
    std::size_t process = 0;
    sim::LifetimeLaw failure = sim::LifetimeLaw::always(1.0);
    sim::LifetimeLaw repair = sim::LifetimeLaw::always(0.0);
    Age age = Age::kStationary;
    double given_age = 0.0;  // seconds
    std::optional<std::size_t> crew;
    std::optional<std::size_t> spare;
  };
  /// A common cause: strikes all of its members that work.
  struct Shock {
    std::string name;
    std::size_t process = 0;
    sim::LifetimeLaw law = sim::LifetimeLaw::always(1.0);
    Age age = Age::kStationary;
    double given_age = 0.0;
    std::vector<std::size_t> members;  // components
    double spread = 0.0;               // seconds
  };
  struct Crew {
    std::string name;
    std::int64_t people = 1;
    /// When work of so many seconds, taken up at that second of the run, is done. Empty: at once and without rest.
    std::function<double(double start, double work)> done;
  };
  struct Spare {
    std::string name;
    std::int64_t stock = 0;
    sim::LifetimeLaw delivery = sim::LifetimeLaw::always(0.0);
  };

  struct Listener {
    virtual ~Listener() = default;
    /// `age` in seconds; of a common cause `shock` is its index.
    virtual void failed(std::size_t component, double age, std::optional<std::size_t> shock) = 0;
    /// It needs a part that is not there, or people who are busy.
    virtual void waits(std::size_t component, const std::string& for_what) = 0;
    virtual void repaired(std::size_t component) = 0;
  };

  LifeCycles(sim::Engine& engine, const sim::Randomness& random, Listener& listener) : engine_(engine), random_(random), listener_(listener) {}
  LifeCycles(const LifeCycles&) = delete;
  LifeCycles& operator=(const LifeCycles&) = delete;

  std::size_t add(Crew crew);
  std::size_t add(Spare spare);
  std::size_t add(Component component);
  std::size_t add(Shock shock);
  /// All work, at the ages that they have. Before the engine runs.
  void start();

  const std::vector<Component>& components() const { return components_; }
  const std::vector<Shock>& shocks() const { return shocks_; }
  bool is_broken(std::size_t component) const { return states_[component].broken; }
  std::size_t broken() const { return broken_; }
  /// How many failures there have been.
  std::uint64_t failures() const { return failures_; }

  // ---- excursions and their bias ----

  /// An excursion begins when something breaks (or is at risk for another reason) while all was well, and ends when all has been well for `settle`.
  struct BiasRule {
    sim::SimDuration settle = std::chrono::minutes(30);
    /// Failures to be expected in the first mean repair of an excursion, of all that may be biased together; as many in the two mean repairs that follow,
    /// in the four after these, and so on. So the weight of a path without one grows as a power of its length, and has moments of all orders also where
    /// repairs have a heavy tail (lognormal); with a bias that stays it would grow exponentially, and have none.
    double failures = 0.8;
    /// Times the hazard of a repair that begins under bias: an outage grows with the repair during which it begins, so long repairs are looked at more
    /// often. In (0, 1]; the square of a repair's weight has the mean 1 / (x (2 - x)).
    double repair_hazard = 0.5;
    /// Which processes may be biased. Empty: all. Only what these break, and other risks, begins an excursion.
    std::vector<bool> processes;
  };
  /// Calls `begun` at the beginning of each excursion and `over` at its end, from inside of an event.
  void watch_excursions(const BiasRule& rule, std::function<void()> begun, std::function<void()> over);
  bool in_excursion() const { return in_excursion_; }
  /// Something else is wrong for about `seconds`: as if a component were broken.
  void begin_risk(double seconds);
  void end_risk(double seconds);

  /// From now on to the end of the excursion under other laws, and with fresh luck of that name. At the beginning of an excursion: repairs that have just
  /// begun are drawn anew.
  void bias(const std::string& luck);
  /// Back to the laws as they are.
  void end_bias();
  /// ln of (probability of this path as it is) / (its probability under the bias), since bias().
  double log_weight();
  /// Processes that may be biased by the rule, but have a law with jumps in it: they run as they are.
  std::vector<std::size_t> unbiased_processes() const;

 private:
  struct Clock {  // of a component or a shock that may fail
    double born = 0.0;     // second of the run at which its age was 0
    double hazard = 0.0;   // H at the age up to which `left` is counted
    double left = 0.0;     // of the exponential draw
    double factor = 1.0;   // of the hazard
    sim::RandomStream random;
    sim::Timer timer;
  };
  struct State {
    Clock clock;
    sim::RandomStream repairs;
    bool broken = false;
    double failed_at = 0.0;
    double work_began = 0.0;
    sim::Timer repair;
    sim::Timer strike;
  };
  struct ShockState {
    Clock clock;
    sim::RandomStream spreads;
  };
  struct CrewState {
    std::int64_t busy = 0;
    std::deque<std::size_t> waiting;
  };
  struct SpareState {
    std::int64_t stock = 0;
    std::uint64_t orders = 0;
    sim::RandomStream deliveries;
    std::deque<std::size_t> waiting;
    std::vector<std::unique_ptr<sim::Timer>> under_way;
  };

  double now() const { return sim::seconds(engine_.now()); }
  const sim::LifetimeLaw& law_of(std::size_t index, bool shock) const { return shock ? shocks_[index].law : components_[index].failure; }
  Clock& clock_of(std::size_t index, bool shock) { return shock ? shock_states_[index].clock : states_[index].clock; }
  void begin_life(std::size_t index, bool shock, double age);
  void schedule(std::size_t index, bool shock);
  void count(std::size_t index, bool shock);
  void expired(std::size_t index, bool shock);
  void fail(std::size_t component, std::optional<std::size_t> shock);
  void ask_for_spare(std::size_t component);
  void ask_for_crew(std::size_t component);
  void work(std::size_t component);
  void repaired(std::size_t component);
  void deliver(std::size_t spare);
  void changed();
  bool may_bias(std::size_t process) const;
  void set_factors();
  void relax_later();

  sim::Engine& engine_;
  const sim::Randomness& random_;
  Listener& listener_;
  std::vector<Component> components_;
  std::vector<Shock> shocks_;
  std::vector<Crew> crews_;
  std::vector<Spare> spares_;
  std::vector<State> states_;
  std::vector<ShockState> shock_states_;
  std::vector<CrewState> crew_states_;
  std::deque<SpareState> spare_states_;
  std::size_t broken_ = 0;
  std::size_t broken_here_ = 0;  // of processes that may be biased
  std::uint64_t failures_ = 0;

  std::optional<BiasRule> rule_;
  std::function<void()> begun_;
  std::function<void()> over_;
  sim::Timer settle_;
  bool in_excursion_ = false;
  bool is_biased_ = false;
  double log_weight_ = 0.0;
  double length_ = 0.0;    // of the longest mean repair, while something is broken
  double stretch_ = 1.0;   // 1, 2, 4 ...: how many mean repairs the failures that are wanted are spread over
  sim::Timer relax_;
  std::vector<double> risks_;  // expected lengths of what else is wrong
};

}  // namespace chaos
