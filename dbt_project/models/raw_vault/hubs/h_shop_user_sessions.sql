{{ config(unique_key='h_shop_user_session_hk', natural_key='user_session_id') }}

{{ hub(
    mentions=[
        {'changes': source('silver', 'shop_user_sessions_changes'), 'column': 'id'}
    ],
    hash_key='h_shop_user_session_hk',
    business_key='user_session_id'
) }}
