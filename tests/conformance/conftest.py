from support import clock as clock
from support import frozen_clock as frozen_clock
