"""Inside core's image: whether a job is due, asked as JSON: [hour, last success or null, now]."""

import json
import sys
from datetime import datetime

from mailman_stack.core.jobs import due

hour, last, now = json.load(sys.stdin)
last_success = datetime.fromisoformat(last) if last else None
print(json.dumps(due(hour, last_success, datetime.fromisoformat(now))))
