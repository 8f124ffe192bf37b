// Checks a run's options before anything is opened, allocated or computed.
#include <cmath>
#include <string_view>

#include "base/check.h"
#include "trainer/options/open_device.h"

namespace crescendo {

namespace {

constexpr double kPositionLimit = 1152921504606846976.0;  // 2^60 samples

void require_number(std::string_view name, double value) {
  require(std::isfinite(value), name, ": found ", value, ", expected a finite number");
}

void require_positive(std::string_view name, double value) {
  require_number(name, value);
  require(value > 0, name, ": found ", value, ", expected more than 0");
}

void require_at_least(std::string_view name, int64_t value, int64_t least) {
  require(value >= least, name, ": found ", value, ", expected ", least, " or more");
}

void require_not_negative(std::string_view name, double value) {
  require_number(name, value);
  require(value >= 0, name, ": found ", value, ", expected 0 or more");
}

void require_fraction(std::string_view name, double value) {
  require(value >= 0 && value < 1, name, ": found ", value, ", expected at least 0 and less than 1");
}

void require_whole_ghosts(std::string_view name, int64_t value, int64_t ghost) {
  const int64_t below = value / ghost * ghost, above = below + ghost;
  const int64_t nearest = below > 0 && value - below <= above - value ? below : above;
  require(value % ghost == 0, name, ": found ", value, ", expected a multiple of the ghost batch ", ghost,
          "; the nearest is ", nearest);
}

void validate_batches(const ScheduleOptions& options) {
  require_at_least("ghost-batch", options.ghost_batch, 1);
  require_at_least("batch", options.batch, 1);
  for (const auto& [name, size] : {std::pair("batch", options.batch), {"max-batch", options.max_batch}})
    require(static_cast<double>(size) < kPositionLimit, name, ": found ", size, ", expected less than 2^60");
  require_whole_ghosts("batch", options.batch, options.ghost_batch);
  require_at_least("max-batch", options.max_batch, 0);
  if (options.max_batch == 0) return;
  require_whole_ghosts("max-batch", options.max_batch, options.ghost_batch);
  require(options.max_batch >= options.batch, "max-batch: found ", options.max_batch,
          ", expected at least the batch ", options.batch);
}

void validate_milestones(const ScheduleOptions& options) {
  double last = 0;
  for (const double milestone : options.milestones) {
    require_positive("milestones", milestone);
    require(milestone > last, "milestones: found ", milestone, " after ", last,
            ", expected ascending epochs");
    require(milestone > options.warmup_epochs, "milestones: found ", milestone,
            ", expected epochs after the first ", options.warmup_epochs, " of warm-up");
    require(milestone < options.epochs, "milestones: found ", milestone,
            ", expected epochs before the run's end at ", options.epochs);
    last = milestone;
  }
}

// Checks what depends on the size of the training set.
void validate_size(const ScheduleOptions& options) {
  const int64_t images = options.train_images;
  require(std::fmax(options.epochs, 1) * static_cast<double>(images) < kPositionLimit,
          "epochs: ", options.epochs, " of ", images,
          " images are too many samples to count, expected less than 2^60");
  if (options.epoch_edge == EpochEdge::straddle) return;
  require(options.batch <= images, "batch: found ", options.batch, ", expected at most the ", images,
          " training images with --epoch-edge drop");
  require(options.exchange == Exchange::none || options.max_batch <= images, "max-batch: found ",
          options.max_batch, ", expected at most the ", images, " training images with --epoch-edge drop");
}

void validate_data(const TrainOptions& options) {
  require_at_least("train-images", options.train_images, 0);
  constexpr int64_t kLeast = 8, kMost = 4096;
  const bool folder = options.data == "image-folder";
  const auto require_folder = [&](std::string_view name, bool given) {
    require(folder || !given, name, ": is for --data image-folder, found --data ", options.data);
  };
  require_folder("image-size", options.image_size != 0);
  require_folder("val-dir", !options.val_dir.empty());
  require_folder("bad-images", options.bad_images != BadImages::fail);
  require_folder("augment", options.augment == Augment::goyal || options.augment == Augment::inception);
  require(options.image_size == 0 || (options.image_size >= kLeast && options.image_size <= kMost),
          "image-size: found ", options.image_size, ", expected auto or ", kLeast, " to ", kMost);
}

void validate_optimizer(const TrainOptions& options) {
  require_fraction("momentum", options.momentum);
  require_fraction("beta1", options.beta1);
  require_fraction("beta2", options.beta2);
  require_positive("epsilon", options.epsilon);
  require_fraction("label-smoothing", options.label_smoothing);
}

void validate_machine(const TrainOptions& options) {
  validate_device(options);
  require_at_least("threads", options.threads, 0);
  require_at_least("loader-threads", options.loader_threads, 0);
  require_at_least("micro-batch", options.micro_batch, 0);
  require_whole_ghosts("micro-batch", options.micro_batch, options.ghost_batch);
  require_at_least("workers", options.workers, 0);
  require_at_least("verify-every", options.verify_every, 0);
}

void validate_run(const TrainOptions& options) {
  require_at_least("max-updates", options.max_updates, -1);
  require_not_negative("eval-every", options.eval_every);
  require_at_least("checkpoint-every", options.checkpoint_every, 0);
  require_at_least("keep", options.keep, 1);
}

}  // namespace

void validate(const ScheduleOptions& options) {
  require_positive("epochs", options.epochs);
  require_positive("learning-rate", options.learning_rate);
  require_fraction("momentum", options.momentum);
  require_not_negative("weight-decay", options.weight_decay);
  validate_batches(options);
  require_number("factor", options.factor);
  require(options.factor > 1, "factor: found ", options.factor, ", expected more than 1");
  require_not_negative("warmup-epochs", options.warmup_epochs);
  require(options.warmup_epochs < options.epochs, "warmup-epochs: found ", options.warmup_epochs,
          ", expected less than the run's ", options.epochs, " epochs");
  if (options.base == BaseSchedule::step) validate_milestones(options);
  if (options.train_images > 0) validate_size(options);
}

void validate(const TrainOptions& options) {
  validate_data(options);
  require_not_negative("auxiliary-weight", options.auxiliary_weight);
  validate_run(options);
  validate(schedule_options(options, options.train_images));
  validate_optimizer(options);
  validate_machine(options);
}

DatasetOptions dataset_options(const TrainOptions& options) {
  constexpr int64_t kUsualSize = 224, kInceptionSize = 299;
  const bool inception = options.model.starts_with("inception");
  return {.kind = options.data,
          .directory = options.data_dir,
          .val_directory = options.val_dir,
          .image_size = options.image_size > 0 ? options.image_size
                        : inception            ? kInceptionSize
                                               : kUsualSize,
          .train_images = options.train_images,
          .augment = options.augment,
          .bad_images = options.bad_images};
}

ModelOptions model_options(const TrainOptions& options, int64_t classes, int64_t image_channels) {
  return {.classes = classes,
          .image_channels = image_channels,
          .zero_gamma = options.zero_gamma,
          .norm_scale = options.norm_scale,
          .auxiliary_weight = options.auxiliary_weight};
}

ScheduleOptions schedule_options(const TrainOptions& options, int64_t train_images) {
  const bool has_momentum =
      options.optimizer == OptimizerKind::momentum || options.optimizer == OptimizerKind::nesterov;
  return {.train_images = train_images,
          .epochs = options.epochs,
          .learning_rate = options.learning_rate,
          .momentum = has_momentum ? options.momentum : 0,
          .weight_decay = options.weight_decay,
          .batch = options.batch,
          .ghost_batch = options.ghost_batch,
          .base = options.schedule,
          .milestones = options.milestones,
          .factor = options.factor,
          .warmup_epochs = options.warmup_epochs,
          .exchange = options.exchange,
          .rule = options.exchange_rule,
          .max_batch = options.max_batch,
          .epoch_edge = options.epoch_edge};
}

}  // namespace crescendo
