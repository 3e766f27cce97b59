/// trace.perfetto: the lanes of a run as tracks, for ui.perfetto.dev.
#pragma once

#include <string>

#include "chaos/verdict.hpp"

namespace analysis {

/// A serialized perfetto.protos.Trace. Virtual time is the trace's time; a lane is a track, its group the parent track, every state
/// a slice; the injection of a fault is an instant.
std::string perfetto_trace(const chaos::Verdict& verdict);

}  // namespace analysis
