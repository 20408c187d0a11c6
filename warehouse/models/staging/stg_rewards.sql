with current_rewards as (
    {{ current_rows(source('lake', 'rewards'), key='user_id, session_id') }}
)

select
    {{ rewards_columns() }}
from current_rewards
