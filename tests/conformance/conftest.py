from support import frozen_clock as frozen_clock
