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

// Return a table for people, and an object for programs.
std::string plan_text(const Plan& plan, const PlanExtras& extras);
std::string plan_json(const Plan& plan, const PlanExtras& extras);

}  // namespace crescendo
