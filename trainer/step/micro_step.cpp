#include "trainer/step/micro_step.h"

namespace crescendo {

MicroStep::MicroStep(const TrainOptions& options, const Model& model, const ImageSize& image_size,
                     UpdateSums& sums)
    : options_(options), model_(model), image_size_(image_size), sums_(sums) {}

void MicroStep::run(Batches& batches, const SampleRange& range, const Place& place) {
  const DeviceBatch& batch = input(range.count);
  const Kind kind{.samples = range.count,
                  .overwrites = place.first && !sums_.takes_ghosts(),
                  .in_parts = place.last && sums_.overlaps()};
  Replay& step = steps_.try_emplace(kind, device()).first->second;
  if (sums_.takes_ghosts()) sums_.parameters().forget_gradients();
  batches.prepare(range, batch);
  sums_.move_to(range.first);
  const bool replayed = step.run([&] {
    batches.write(sums_.counters(), batch);
    forward_backward(batch, kind.in_parts);
  });
  if (replayed) sums_.parameters().note_gradients();
  sums_.note_counted(range.count);
}

// A new input may take memory that captured steps used and gave back, so all steps are captured anew.
const DeviceBatch& MicroStep::input(int64_t samples) {
  const auto [found, made] = inputs_.try_emplace(samples, device(), image_size_, samples);
  if (made) steps_.clear();
  return found->second;
}

DeviceBatch MicroStep::load(Batches& batches, const SampleRange& range) {
  DeviceBatch batch(device(), image_size_, range.count);
  batches.prepare(range, batch);
  sums_.move_to(range.first);
  batches.write(sums_.counters(), batch);
  return batch;
}

TapeOptions MicroStep::tape_options() const {
  return {.ghost = options_.ghost_batch,
          .running_statistics = options_.running_statistics,
          .seed = options_.seed,
          .counters = sums_.counters(),
          .counts = sums_.counts()};
}

CrossEntropy MicroStep::forward(Tape& tape, const DeviceBatch& batch) const {
  const auto [logits, auxiliary] = model_.outputs(tape, batch.images);
  if (auxiliary.defined())
    tape.seed(softmax_cross_entropy(tape, auxiliary, batch.labels, options_.label_smoothing).losses,
              model_.options.auxiliary_weight);
  return softmax_cross_entropy(tape, logits, batch.labels, options_.label_smoothing);
}

void MicroStep::forward_backward(const DeviceBatch& batch, bool in_parts) {
  const int64_t ghosts = batch.labels.size() / options_.ghost_batch;
  Tape tape = Tape::training(tape_options());
  if (in_parts) tape.completed = [&](const Tensor& gradient) { sums_.add_complete(gradient, ghosts); };
  const auto [losses, correct] = forward(tape, batch);
  tape.backward(losses);
  device().run(CountSamples{.geometry = {.n = losses.size(), .ghost = options_.ghost_batch},
                            .losses = losses.as_reals(),
                            .correct = correct.as_indices(),
                            .counters = sums_.counters(),
                            .counts = sums_.counts()});
  if (in_parts)
    sums_.add_rest(ghosts);
  else if (sums_.takes_ghosts())
    sums_.add_ghosts(ghosts);
}

}  // namespace crescendo
