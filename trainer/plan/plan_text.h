// A plan as a table for people and as JSON for programs.
#pragma once

#include <optional>
#include <string>

#include "trainer/plan/memory.h"
#include "trainer/plan/plan.h"
#include "trainer/plan/workers_plan.h"

namespace crescendo {

// Facts to print besides the plan itself.
struct PlanExtras {
  std::optional<TrainingMemory> memory;
  std::optional<Workforce> workers;
};

// Return a table for people, and an object for programs. The object has every segment. The table has a row for
// each, or with workers one for consecutive segments of one batch.
std::string plan_text(const Plan& plan, const PlanExtras& extras);
std::string plan_json(const Plan& plan, const PlanExtras& extras);

}  // namespace crescendo
